"""Every AWS client but DynamoDB's is made here."""
