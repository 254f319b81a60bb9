"""The function audit_sealing."""
