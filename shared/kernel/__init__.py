"""Ids, money, time, errors and pages: pure, importable by everyone, importing no one."""
