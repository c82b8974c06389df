"""Tryton for crmbridge: sale opportunities as deals, through the server's own remote calls."""
