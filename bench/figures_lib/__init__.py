# SPDX-License-Identifier: BSD-3-Clause
"""What bench/figures is made of.

main        the command line
session     one run of the tool: its options, its JSON lines, the brokers it starts
process     a child process: pinned, watched through /proc, ended by its process id
brokers     how to start pinion, mosquitto and the floor
keepers     the same for brokers that keep messages on disk, RabbitMQ and NATS among them
disk        directories for these
scenarios   the loads that have a letter, with their bars and goals
generators  who makes the load: `pinion bench`, or another program of your choice
mqtt        enough MQTT to make a load by hand
report      medians and tables
measure_*   one measurement each: a function run(session), which prints and records
durable_*   the parts of measure_durable
"""
