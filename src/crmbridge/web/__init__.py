"""What crmbridge serves over HTTP."""
