"""Keeps one CPU busy in the interpreter and in the C code of the standard library."""
import json
import random
import re
import zlib

words = re.compile(r"\b(\w+)(?:ing|ed)\b")
text = open("/usr/lib/python3.11/argparse.py").read()
records = [{"id": n, "name": "user %d" % n, "scores": [random.random() for _ in range(10)]} for n in range(200)]


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def main():
    while True:
        json.loads(json.dumps(records))
        words.findall(text)
        zlib.compress(text.encode())
        sorted(text.split(), key=str.lower)
        fibonacci(18)


main()
