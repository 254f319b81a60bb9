"""What is deployed: three CDK stacks, a construct per capability."""
