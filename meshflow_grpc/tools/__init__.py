"""The application's own tools and functions: declared with decorators, called under the kernel."""
