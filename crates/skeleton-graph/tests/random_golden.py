"""Prints the numbers that tests/random.rs expects, from the rule's description alone (Python's standard library)."""
import hashlib, struct

def quarter(s, a, b, c, d):
    rotate = lambda x, n: ((x << n) | (x >> (32 - n))) & 0xffffffff
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xffffffff
        s[z] = rotate(s[z] ^ s[x], n)

def block(key, counter):
    start = list(struct.unpack('<16I', b'expand 32-byte k' + key + struct.pack('<QQ', counter, 0)))
    s = start[:]
    for _ in range(4):
        for i in range(4): quarter(s, i, 4 + i, 8 + i, 12 + i)
        for i in range(4): quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(x + y) & 0xffffffff for x, y in zip(s, start)]

def draws(seed, purpose, epoch, key):
    """64-bit draws of a stream, low word first."""
    kind = b'\0' if key is None else b'\1' + struct.pack('<Q', key) if isinstance(key, int) \
        else b'\2' + struct.pack('<Q', len(key.encode())) + key.encode()
    text = b'skeleton-random-1' + struct.pack('<QBQ', seed, purpose, epoch) + kind
    digest, counter = hashlib.sha256(text).digest(), 0
    while True:
        words = block(digest, counter)
        for low, high in zip(words[::2], words[1::2]): yield low | high << 32
        counter += 1

def shuffled(seed, epoch, n):
    order, rng = list(range(n)), draws(seed, 1, epoch, None)
    for last in range(n - 1, 0, -1):
        bound = last + 1
        limit = (1 << 64) - 1 - ((1 << 64) - 1) % bound
        drawn = next(x for x in rng if x < limit)
        order[last], order[drawn % bound] = order[drawn % bound], order[last]
    return order

for purpose in range(10):
    for key in (None, 7, 'S001C001P001R001A001'):
        print(purpose, key, hex(next(draws(42, purpose, 3, key))))
print(shuffled(1, 2, 12))
