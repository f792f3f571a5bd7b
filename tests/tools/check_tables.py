#!/usr/bin/python3
"""Compares the message tables with Apache Kafka's own message definitions.

Usage: check_tables.py FOLDER [DUMP_PROGRAM]

FOLDER holds the *.json files, at any depth; it may also come from the
environment as KAFKA_MESSAGES. Without one the test is skipped: the
definitions are not part of this tree. To get them, unpack from a source
release of Kafka the folders {clients,group-coordinator,transaction-coordinator}
/src/main/resources/common/message."""
import json
import os
import re
import subprocess
import sys

ON = 32767
SKIPPED = 77


def read_definition(path):
    """The JSON of a definition; comments take whole lines or end them."""
    with open(path, encoding='utf-8') as f:
        lines = [re.sub(r'\s//[^"]*$', '', line) for line in f if not line.strip().startswith('//')]
    return json.JSONDecoder().raw_decode(''.join(lines).strip())[0]


def read_definitions(folder):
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            if name.endswith('.json'):
                definition = read_definition(os.path.join(root, name))
                found[definition['name']] = definition
    return found


def versions(text):
    if text is None or text == 'none':
        return None
    if text.endswith('+'):
        return int(text[:-1]), ON
    first, _, last = text.partition('-')
    return int(first), int(last or first)


def read_tables(program):
    """What the dump program prints, as a list of (message, fields)."""
    messages = []
    for line in subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines():
        words = line.split('\t')
        if words[0] == 'message':
            messages.append((words[1], [int(w) for w in words[2:]], []))
            stack = [messages[-1][2]]
            continue
        depth, name, kind = int(words[1]), words[2], words[3]
        first, last, null, tag = (int(w) for w in words[4:8])
        field = {'name': name, 'type': kind, 'versions': (first, last), 'null': null if null >= 0 else None,
                 'tag': tag if tag >= 0 else None, 'default': words[8], 'ignorable': words[9] == '1', 'fields': []}
        del stack[depth + 1:]
        stack[depth].append(field)
        stack.append(field['fields'])
    return messages


def snake(name):
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    return re.sub(r'([A-Z]+)([A-Z][a-z])', r'\1_\2', name).lower()


def default_of(field):
    text = str(field.get('default', '')).lower()
    if text == 'null':
        return text
    if field['type'] == 'string' or text in ('', 'false'):
        if text and field['type'] == 'string':
            return 'the text ' + text
        return '0'
    if text == 'true':
        return '1'
    return str(int(text, 0))


class Checker:
    def __init__(self):
        self.differences, self.newer, self.fields = [], [], 0

    def differ(self, where, what, ours, theirs):
        self.differences.append('%s: %s is %s, in Kafka %s' % (where, what, ours, theirs))

    def check_field(self, where, ours, theirs, structs, valid):
        def clip(r):
            return None if r is None else (max(r[0], valid[0]), min(r[1], valid[1]))

        self.fields += 1
        kind = theirs['type']
        base = kind.replace('[]', '')
        is_struct = base[0].isupper()
        shape = kind.replace(base, 'struct') if is_struct else kind
        null = versions(theirs.get('nullableVersions'))
        present = clip(versions(theirs['versions']))
        pairs = [
            ('the name', ours['name'], snake(theirs['name'])),
            ('the type', ours['type'], shape),
            ('the range of versions', clip(ours['versions']), present),
            ('the first nullable version', ours['null'] if ours['null'] is None else max(ours['null'], present[0]),
             None if null is None else max(null[0], present[0])),
            ('the tag', ours['tag'], theirs.get('tag')),
            ('the default', ours['default'], default_of(theirs)),
            ('ignorable', ours['ignorable'], str(theirs.get('ignorable', False)).lower() == 'true'),
        ]
        if null is not None and null[1] < present[1]:
            self.differ(where, 'the last nullable version', present[1], null[1])
        tagged = clip(versions(theirs.get('taggedVersions')))
        if tagged is not None and tagged != present:
            self.differ(where, 'the range of tagged versions', present, tagged)
        if 'flexibleVersions' in theirs:
            self.differ(where, 'flexible versions of a field', 'unknown here', theirs['flexibleVersions'])
        for what, a, b in pairs:
            if a != b:
                self.differ(where, what, a, b)
        if is_struct:
            fields = theirs.get('fields') or structs[base]['fields']
            self.check_fields(where, ours['fields'], fields, structs, valid)

    def check_fields(self, where, ours, theirs, structs, valid):
        theirs = [f for f in theirs if versions(f['versions']) and versions(f['versions'])[0] <= valid[1]
                  and versions(f['versions'])[1] >= valid[0]]
        known = []
        for field in ours:
            if field['versions'][0] > valid[1]:
                self.newer.append('%s.%s' % (where, field['name']))
            else:
                known.append(field)
        names, kafka_names = [f['name'] for f in known], [snake(f['name']) for f in theirs]
        if names != kafka_names:
            self.differ(where, 'the list of fields', names, kafka_names)
            return
        for a, b in zip(known, theirs):
            self.check_field('%s.%s' % (where, a['name']), a, b, structs, valid)

    def check_message(self, name, numbers, fields, definition):
        low, high, flexible = numbers
        valid = versions(definition['validVersions'])
        theirs = versions(definition.get('flexibleVersions'))
        structs = {s['name']: s for s in definition.get('commonStructs', [])}
        if low != valid[0]:
            self.differ(name, 'the first version', low, valid[0])
        if high > valid[1]:
            self.newer.append('%s version %d' % (name, high))
        elif high < valid[1]:
            self.differ(name, 'the last version', high, valid[1])
        if flexible != (theirs[0] if theirs else ON):
            self.differ(name, 'the first flexible version', flexible, definition.get('flexibleVersions'))
        self.check_fields(name, fields, definition['fields'], structs, valid)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('KAFKA_MESSAGES')
    if not folder:
        print('SKIP: no folder with Apache Kafka\'s message definitions given (KAFKA_MESSAGES)')
        return SKIPPED
    program = sys.argv[2] if len(sys.argv) > 2 else \
        os.path.join(os.environ.get('builddir', '.'), 'tests/protocol/dump_tables')
    definitions = read_definitions(folder)
    checker = Checker()
    tables = read_tables(program)
    for name, numbers, fields in tables:
        if name not in definitions:
            checker.differences.append('%s: Kafka has no such message' % name)
        else:
            checker.check_message(name, numbers, fields, definitions[name])
    for line in checker.differences:
        print(line)
    for line in checker.newer:
        print('note: newer than the definitions: %s' % line)
    print('%d messages, %d fields, %d differences' % (len(tables), checker.fields, len(checker.differences)))
    return 1 if checker.differences or not tables else 0


if __name__ == '__main__':
    sys.exit(main())
