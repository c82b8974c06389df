"""What this distribution offers to crmbridge."""
