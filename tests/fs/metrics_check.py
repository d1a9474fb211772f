#!/usr/bin/env python3
"""Is a file what Prometheus takes, by the letter of its text format 0.0.4?

Usage: metrics_check.py FILE [NAME...]

Checks each line's grammar, that HELP and TYPE come once and before the samples, that all lines of a
metric stand together, that no sample comes twice, names and suffixes as the naming rules want them,
and that histograms are cumulative and end in +Inf with the count. NAMEs must be among the metrics.
Prints `N metrics, N samples`, or the first thing that is wrong.
"""
import math
import re
import sys

NAME = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
HELP = re.compile(rf'# HELP ({NAME}) ((?:[^\\\n]|\\[\\n])*)')
TYPE = re.compile(rf'# TYPE ({NAME}) (counter|gauge|histogram|summary|untyped)')
SAMPLE = re.compile(rf'({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})?[ \t]+(\S+)')


class Metric:
    def __init__(self, name):
        self.name = name
        self.help = self.type = None
        self.samples = []  # (name, labels, value)


def require(condition, what):
    if not condition:
        raise ValueError(what)


def read(text):
    require(text == '' or text.endswith('\n'), 'the last line has no end')
    metrics = {}
    current = None
    seen = set()

    def enter(name):
        nonlocal current
        if current is None or current.name != name:
            require(name not in metrics, f'{name}: its lines do not stand together')
            current = metrics[name] = Metric(name)

    for number, line in enumerate(text.split('\n')[:-1], 1):
        try:
            if line.startswith('# HELP '):
                m = HELP.fullmatch(line)
                require(m and m[2].strip(), 'no HELP line')
                enter(m[1])
                require(current.help is None and current.type is None, 'HELP comes twice, or late')
                current.help = m[2]
            elif line.startswith('# TYPE '):
                m = TYPE.fullmatch(line)
                require(m, 'no TYPE line')
                enter(m[1])
                require(current.type is None and not current.samples, 'TYPE comes twice, or late')
                current.type = m[2]
            else:
                m = SAMPLE.fullmatch(line)
                require(m, 'no sample')
                require(current and current.type, 'a sample before its TYPE')
                base = current.name
                names = [base]
                if current.type == 'histogram':
                    names = [base + end for end in ('_bucket', '_sum', '_count')]
                require(m[1] in names, f'a sample of {m[1]} among those of {base}')
                labels = tuple(re.findall(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"', m[2] or ''))
                require(len({k for k, _ in labels}) == len(labels), 'a label comes twice')
                key = (m[1], tuple(sorted(labels)))
                require(key not in seen, 'a sample comes twice')
                seen.add(key)
                current.samples.append((m[1], dict(labels), float(m[3])))
        except ValueError as e:
            raise ValueError(f'line {number}: {e}: {line}') from None
    return metrics


def check_histogram(m):
    buckets = [(float(l['le']), v) for n, l, v in m.samples if n == m.name + '_bucket']
    total = [v for n, _, v in m.samples if n == m.name + '_count']
    sums = [v for n, _, v in m.samples if n == m.name + '_sum']
    require(len(total) == 1 and len(sums) == 1, 'no sum or no count')
    require(buckets and buckets[-1][0] == math.inf, 'no +Inf bucket at the end')
    require(buckets == sorted(buckets) and len({b for b, _ in buckets}) == len(buckets),
            'buckets do not ascend')
    require(buckets[-1][1] == total[0], 'the +Inf bucket is not the count')
    require(sums[0] >= 0 and (total[0] > 0 or sums[0] == 0), 'the sum is not of these')


def check(m):
    require(m.help and m.type, 'no HELP or no TYPE')
    require(m.samples, 'no sample')
    require(re.fullmatch(r'[a-z][a-z0-9]*(_[a-z0-9]+)*', m.name), 'not a name in snake_case')
    require(m.name.endswith('_total') == (m.type == 'counter'), '_total is for counters, all of them')
    require(not re.search(r'_(us|ms|ns|kb|mb|kib|mib)(_|$)', m.name), 'not a base unit')
    for name, _, value in m.samples:
        require(math.isfinite(value) and value >= 0, f'{name} is {value}')
    if m.type == 'histogram':
        check_histogram(m)


def main():
    with open(sys.argv[1], encoding='utf-8', newline='') as f:
        metrics = read(f.read())
    for m in metrics.values():
        try:
            check(m)
        except ValueError as e:
            raise ValueError(f'{m.name}: {e}') from None
    for name in sys.argv[2:]:
        require(name in metrics, f'there is no {name}')
    print(f'{len(metrics)} metrics, {sum(len(m.samples) for m in metrics.values())} samples')


if __name__ == '__main__':
    try:
        main()
    except (ValueError, OSError) as e:
        sys.exit(f'{sys.argv[1]}: {e}')
