"""What Social costs and how punctual it is, measured from outside: `python -m tests.bench NAME [options] --json`.

    python -m tests.bench burst --posts 10000 --platforms 3 --json     30,000 publications due in one second
    python -m tests.bench burst --posts 10000 --latency-ms 50 --json   the same with a platform that takes its time
    python -m tests.bench NAME --help                                  the options of one

Each starts what it needs (MongoDB, Valkey, S3, the sink, `social serve`), runs bounded, cleans up, prints a table and
draws a picture into tests/bench/results (ignored by git). With `--json` the last line is one JSON object. The product
runs on one core, everything else on the others. Lateness, losses and doubles are counted at the sink, never by the
product's own word: `late_ms` is a request's arrival in whole minus its due instant, `lost` never arrived, `doubled`
was made public more than once, `early` arrived before it was due. CPU seconds are utime + stime of the processes, from
a second before the first claim until everything is concluded and every event numbered. `cpu_x_client` is the product's
divided by what bare aiohttp POSTs to the same sink cost on the same core in the same run.
"""
