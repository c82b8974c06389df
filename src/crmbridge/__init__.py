"""crmbridge: write a sales process once and keep it true in every CRM."""

__version__ = "0.1.0"
