"""The product's name and version, said in one place."""

NAME = "Enhanced API Gateway"
VERSION = "0.1.0"
