"""More than 100 MB of text lines go through the broker by kcat and come back the same."""
import filecmp
import os
import subprocess
import unittest

from broker import Broker

SIZE = 105 * 1000 * 1000


def text_lines(path):
    """Real text, repeated: what the package manager knows of its packages."""
    text = subprocess.run(['sh', '-c', 'cat /var/lib/dpkg/status; apt-cache dumpavail 2>/dev/null'],
                          capture_output=True, timeout=60).stdout
    # kcat sends no record for an empty line, so a file of records has none.
    text = b''.join(line + b'\n' for line in text.split(b'\n') if line)
    size = 0
    with open(path, 'wb') as f:
        while size < SIZE:
            size += f.write(text)
    return size


class BigFile(unittest.TestCase):
    def test_a_file_of_100_megabytes_compares_equal(self):
        with Broker({'log.segment.bytes': '33554432'}) as broker:
            source, copy = (os.path.join(broker.dir, n) for n in ('source', 'copy'))
            size = text_lines(source)
            with open(source, 'rb') as f:
                subprocess.run(['kcat', '-b', broker.address, '-P', '-t', 'text', '-X',
                                'queue.buffering.max.messages=1000000'], stdin=f, check=True, timeout=240)
            with open(copy, 'wb') as f:
                subprocess.run(['kcat', '-b', broker.address, '-C', '-t', 'text', '-o', 'beginning', '-e', '-q',
                                '-X', 'check.crcs=true'], stdout=f, check=True, timeout=240)
            print('%d bytes out, %d bytes back' % (size, os.path.getsize(copy)))
            self.assertTrue(filecmp.cmp(source, copy, shallow=False))
            segments = [n for n in os.listdir(os.path.join(broker.dir, 'data', 'text-0')) if n.endswith('.log')]
            self.assertGreater(len(segments), 3)


if __name__ == '__main__':
    unittest.main(verbosity=2)
