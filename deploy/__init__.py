"""The AWS resources beside the API, and the code that deploys them."""
