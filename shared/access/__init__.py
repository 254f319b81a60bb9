"""The right of access and portability: everything that is kept of a member, as a file for machines and one for people."""
