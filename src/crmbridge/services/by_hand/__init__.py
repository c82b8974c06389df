"""What people decide: conflicts, links, waivers, and what is undone."""
