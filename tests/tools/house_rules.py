#!/usr/bin/env python3
"""Checks the rules of the house: who may include whom, banned calls, sizes of
files and functions, and that the library exports what its map lists.

Usage: house_rules.py SOURCE_DIR [SHARED_LIBRARY]"""
import os
import re
import subprocess
import sys

# design: a room may use the rooms on lower floors; rooms of one floor do not
# know each other, except where USES says so.
FLOOR = {
    'base': 0, 'env': 0, 'protocol': 1, 'record': 1, 'net': 2,
    'cluster': 3, 'log': 3, 'replica': 3, 'coordinator': 3,
    'client': 4, 'broker': 4,
    'producer': 5, 'consumer': 5, 'admin': 5, 'server': 5, 'api': 6,
}
USES = {('replica', 'log'), ('coordinator', 'replica'), ('coordinator', 'log')}
CLIENT_SIDE = {'client', 'producer', 'consumer', 'admin'}
BROKER_SIDE = {'cluster', 'log', 'replica', 'coordinator', 'broker', 'server'}

# Foreign headers that belong to one room.
OWNED = [(re.compile(r'<event2?/|<event\.h|<evdns'), {'net'}, 'libevent'),
         (re.compile(r'<openssl/'), {'net'}, 'OpenSSL'),
         (re.compile(r'<zlib\.h|<lz4|<zstd|<snappy'), {'record'}, 'codecs')]

# Calls that have a home elsewhere, or none: (pattern, rooms that may, why).
BANNED = [
    (r'sprintf|vsprintf|strcpy|strcat|gets|strtok|alloca|atoi|atol', set(), 'has no bound or no error'),
    (r'time|gettimeofday|clock_gettime|localtime|gmtime', {'env'}, 'the clock is in env'),
    (r'rand|srand|random|drand48|getrandom', {'env'}, 'randomness is in env'),
    (r'open|creat|openat|fopen|pread|pwrite|pwritev|fsync|fdatasync|rename|unlink|mkdir|opendir|ftruncate|mmap',
     {'env'}, 'files are in env'),
    (r'pthread_\w+', {'env'}, 'threads and locks are in env'),
    (r'sleep|usleep|nanosleep', set(), 'nothing waits without an event'),
    (r'exit|_exit|abort|signal|sigaction|setlocale|printf|puts|putchar|perror', set(),
     'a library does not do this to its program'),
]
ALLOWED = {('lib/base/mem.c', 'mmap')}

LINES_MAX = 800
FUNCTION_MAX = 70

problems = []


def problem(path, line, text):
    problems.append('%s:%d: %s' % (path, line, text))


def strip_code(text):
    """Blanks out comments and strings, keeping line numbers."""
    def blank(m):
        return re.sub(r'[^\n]', ' ', m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def room_of(path):
    parts = path.split('/')
    return parts[1] if parts[0] == 'lib' and len(parts) > 2 else None


def check_includes(path, text):
    room = room_of(path)
    for n, line in enumerate(text.split('\n'), 1):
        m = re.match(r'\s*#\s*include\s+([<"])([^>"]+)', line)
        if not m:
            continue
        name = m.group(2)
        if path.startswith('examples/'):
            if m.group(1) == '"' and name.split('/')[0] in FLOOR:
                problem(path, n, 'an example may use public headers only, not ' + name)
            continue
        if room is None:
            continue
        for pattern, rooms, what in OWNED:
            if pattern.search('<' + name) and room not in rooms:
                problem(path, n, '%s belongs to lib/%s' % (what, ', lib/'.join(sorted(rooms))))
        other = name.split('/')[0]
        if m.group(1) == '<' or other == room or other not in FLOOR:
            continue
        if FLOOR[other] >= FLOOR[room] and (room, other) not in USES:
            problem(path, n, 'lib/%s may not use lib/%s' % (room, other))
        if (room in CLIENT_SIDE and other in BROKER_SIDE) or (room in BROKER_SIDE and other in CLIENT_SIDE):
            problem(path, n, 'client side and broker side do not know each other')


def check_calls(path, code):
    room = room_of(path)
    if room is None:
        return
    for pattern, rooms, why in BANNED:
        if room in rooms:
            continue
        for m in re.finditer(r'(?<![\w.>])(%s)\s*\(' % pattern, code):
            line = code.count('\n', 0, m.start()) + 1
            if (path, m.group(1)) not in ALLOWED:
                problem(path, line, '%s(): %s' % (m.group(1), why))


def check_sizes(path, text, code):
    lines = text.count('\n')
    if lines > LINES_MAX:
        problem(path, LINES_MAX, 'the file has %d lines, more than %d' % (lines, LINES_MAX))
    if not path.endswith('.c'):
        return
    start = None
    for n, line in enumerate(code.split('\n'), 1):
        if line.startswith('{'):
            start = n
        elif line.startswith('}') and start:
            if n - start - 1 > FUNCTION_MAX:
                problem(path, start, 'the function has %d lines, more than %d' % (n - start - 1, FUNCTION_MAX))
            start = None


def check_opening(path, text):
    if not text.lstrip().startswith('/*'):
        problem(path, 1, 'a file opens with a sentence that says its job')


def mapped_symbols(source):
    text = strip_code(open(os.path.join(source, 'lib/mq.map')).read())
    return set(re.findall(r'\b(mq_\w+);', text))


def check_exports(source, library):
    out = subprocess.run(['nm', '-D', '--defined-only', library], capture_output=True, text=True, check=True).stdout
    exported = {f[2].split('@')[0] for f in (l.split() for l in out.splitlines()) if len(f) == 3 and f[1] != 'A'}
    mapped = mapped_symbols(source)
    declared = set()
    installed = open(os.path.join(source, 'include/mq/Makefile.inc')).read()
    for name in sorted(re.findall(r'include/mq/(\w+\.h)', installed)):
        text = strip_code(open(os.path.join(source, 'include/mq', name)).read())
        declared |= set(re.findall(r'MQ_API[^;{]*?\b(mq_\w+)\s*\(', text))
    for symbol in sorted(exported - mapped):
        problem('lib/mq.map', 1, '%s is exported but not in the map' % symbol)
    for symbol in sorted(mapped - exported):
        problem('lib/mq.map', 1, '%s is in the map but not exported' % symbol)
    for symbol in sorted(mapped ^ declared):
        problem('lib/mq.map', 1, '%s: the map and the public headers differ' % symbol)
    posix = {'mq_open', 'mq_close', 'mq_send', 'mq_receive', 'mq_notify', 'mq_unlink', 'mq_getattr', 'mq_setattr',
             'mq_timedsend', 'mq_timedreceive'}
    for symbol in sorted(exported & posix):
        problem('lib/mq.map', 1, '%s belongs to POSIX' % symbol)


def sources(top):
    for folder in ('include', 'lib', 'examples', 'tests'):
        for base, dirs, files in os.walk(os.path.join(top, folder)):
            dirs.sort()
            for name in sorted(files):
                if name.endswith(('.c', '.h')):
                    yield os.path.relpath(os.path.join(base, name), top)


def main():
    top = sys.argv[1]
    n = 0
    for path in sources(top):
        text = open(os.path.join(top, path), encoding='utf-8').read()
        code = strip_code(text)
        n += 1
        check_includes(path, text)
        check_opening(path, text)
        if path.startswith('tests/'):
            continue
        check_calls(path, code)
        check_sizes(path, text, code)
    if len(sys.argv) > 2:
        check_exports(top, sys.argv[2])
    for line in problems:
        print(line)
    print('tidy: %d files, %d problems' % (n, len(problems)))
    return 1 if problems or n == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
