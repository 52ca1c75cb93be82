"""mongod, Valkey, S3 and the sandbox as child processes, for `social servers`, `social up` and the tests."""
