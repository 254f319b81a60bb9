"""What a tenant's members are like together: quintiles, rhythm, and what is bought together. Computed by a scheduled job."""
