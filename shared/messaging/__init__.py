"""Messages and the channels they go over: texts, payloads, and one small port per channel."""
