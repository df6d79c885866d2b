"""The commands that deploy a stage to AWS, check it and take it down"""
