"""What is read of the CRMs, and how far: pulls, their bookmarks, and what webhooks hint at."""
