"""Images that guests see: checked, made in several sizes, stored once, deleted when nothing names them."""
