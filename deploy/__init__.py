"""The commands that deploy a stage to AWS, check it and delete it."""
