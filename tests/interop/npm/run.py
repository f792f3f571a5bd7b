"""Installs kafkajs from the npm registry into the build tree and runs its tests
against a real broker. `make check-npm`; says clearly when it cannot run."""
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from broker import Broker, kcat  # noqa: E402


def skip(why):
    print('### check-npm was SKIPPED: ' + why)
    sys.exit(0)


def install(work):
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    for name in ('package.json', 'kafkajs.test.js', 'group_member.js'):
        shutil.copy(os.path.join(HERE, name), work)
    r = subprocess.run(['npm', 'install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'],
                       cwd=work, timeout=300)
    if r.returncode != 0:
        skip('npm could not install kafkajs')


def node_test():
    """What is still open after the last test does not keep it, where node (22) can do that."""
    known = subprocess.run(['node', '--help'], capture_output=True, text=True, timeout=60).stdout
    return ['node', '--test', '--test-reporter=tap'] + ['--test-force-exit'] * ('--test-force-exit' in known)


def mixed_group(work):
    """kafkajs members in one group with those of other clients."""
    status = subprocess.run([sys.executable, '-B', os.path.join(os.path.dirname(HERE), 'test_groups.py'),
                             'Groups.test_kafkajs_members_share_a_topic_with_others'],
                            env=dict(os.environ, MQ_NPM=work), timeout=300).returncode
    if status == 77:
        print('### kafkajs in a group with other clients was SKIPPED: they are not installed')
        return 0
    return status


def main():
    for program in ('node', 'npm'):
        if shutil.which(program) is None:
            skip(program + ' is not installed')
    work = os.path.join(os.environ.get('builddir', '.'), 'npm')
    install(work)
    with Broker() as broker:
        env = dict(os.environ, MQ_ADDRESS=broker.address)
        status = subprocess.run(node_test() + ['kafkajs.test.js'], cwd=work, env=env, timeout=900).returncode
        if status != 0:
            sys.stderr.write(''.join(broker.log[-40:]))
            return status
        for topic in ('js-plain', 'js-gzip', 'js-idempotent'):
            out = kcat('-b', broker.address, '-C', '-t', topic, '-e', '-q', '-o', 'beginning', '-J')
            records = [json.loads(line) for line in out.splitlines()]
            got = [(r['key'], r['payload'], r['headers']) for r in records]
            want = [('k%d' % i, 'v%d' % i, ['h', 'x']) for i in range(200)]
            if got != want:
                print('%s: what kcat reads is not what kafkajs wrote' % topic)
                return 1
        print('kafkajs: all passed, and kcat reads what it wrote')
    return mixed_group(work)


if __name__ == '__main__':
    sys.exit(main())
