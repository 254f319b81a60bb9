"""The right to be forgotten: asking for it, carrying it out in steps that can be repeated, and the certificate that it was."""
