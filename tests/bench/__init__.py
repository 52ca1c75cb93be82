"""What Social costs and how punctual it is, measured from outside: `python -m tests.bench NAME [options] --json`.

    python -m tests.bench burst --posts 10000 --json                   30,000 publications due in one instant
    python -m tests.bench burst --posts 10000 --latency-ms 50 --json   the same with platforms that take their time
    python -m tests.bench steady --json                                50 posts a second on three platforms, a minute
    python -m tests.bench steady --media-mb 500 --json                 the same with large videos beside the text
    python -m tests.bench kill --posts 10000 --json                    SIGKILL in the middle of a burst, a restart
    python -m tests.bench fairness --json                              one workspace's crowd beside 99 others
    python -m tests.bench hold --json                                  hold everything while posts go out
    python -m tests.bench api --json                                   the API's routes as fast as they answer
    python -m tests.bench live --json                                  a thousand sockets and one change
    python -m tests.bench idle --json                                  nothing to do
    python -m tests.bench model --schedules 100000 --planted --json    any order of events, and bugs planted in it
    python -m tests.bench media --full --json                          awkward files on every platform, and its rules
    python -m tests.bench media --memory --json                        eight large uploads, a conversion, eight streams
    python -m tests.bench media --probe --json                         a look at large files in the bucket
    python -m tests.bench NAME --help                                  the options of one

Each starts what it needs (MongoDB, Valkey, S3, the sink, `social serve`), runs bounded, cleans up, prints a table and
draws a picture into tests/bench/results (ignored by git). With `--json` the last line is one JSON object. The product
runs on one core, everything else on the others. Lateness, losses and doubles are counted at the sink, never by the
product's own word: `late_ms` is a request's arrival in whole minus its due instant, `lost` never arrived, `doubled`
was made public more than once, `early` arrived before it was due. CPU seconds are utime + stime of the processes, from
a second before the first claim until everything is concluded and every event numbered. `cpu_x_client` is the product's
divided by what bare aiohttp POSTs to the same sink cost on the same core in the same run.
"""
