"""What an owner of a machine asks of it before training, a room for each question; `bench_device` asks them all."""
