# SPDX-License-Identifier: BSD-3-Clause
"""Started as root the broker becomes somebody else; and what it tells the service manager."""

import grp
import os
import pwd
import resource
import signal
import socket
import subprocess
import sys
import time

from lib import logline
from lib.broker import Broker, free_port, serve, spawn
from lib.claims import claim, eventually, holds, same
from lib.client import Client

USER = "daemon" # there is one on every system


def threads(broker):
    """What the kernel says of each thread, as dictionaries."""
    found = []
    for task in os.listdir(f"/proc/{broker.pid}/task"):
        with open(f"/proc/{broker.pid}/task/{task}/status", encoding="ascii") as status:
            found.append(dict(line.rstrip("\n").split(":", 1) for line in status))
    return found


def folder_of(t, user):
    """A folder that the user may write to, below others that only root may."""
    path = os.path.join(t.folder, t.name("of-user"))
    os.mkdir(path)
    os.chown(path, pwd.getpwnam(user).pw_uid, -1)
    os.chmod(t.folder, 0o711)
    return path


@claim(cores=(0,), cores_of_broker=(1, 4))
def root_becomes_the_user_in_all_threads_and_cannot_go_back(t, cores_of_broker):
    if os.geteuid() != 0:
        return # only root can
    path = folder_of(t, USER) + "/broker.log"
    port = free_port()
    # With groups that must go: root often has none, and then none could be seen to stay.
    argv = ["setpriv", "--groups", "0,4,4242", t.pinion, "serve", "-p", str(port)]
    for setting in (f"user={USER}", f"log.file={path}", "helper_threads=3",
                    f"cores={cores_of_broker}"):
        argv += ["--set", setting]
    broker = t.keep(Broker(argv, port, path + ".out"))
    Client(t, "first", broker=broker).open() # nobody is served before root has gone
    who = pwd.getpwnam(USER)
    seen = threads(broker)
    holds(f"threads: {len(seen)}", len(seen) >= cores_of_broker + 4)
    groups = {str(g.gr_gid) for g in grp.getgrall() if USER in g.gr_mem} | {str(who.pw_gid)}
    for thread in seen:
        same("user ids", set(thread["Uid"].split()), {str(who.pw_uid)})
        same("group ids", set(thread["Gid"].split()), {str(who.pw_gid)})
        holds(f"groups: {thread['Groups']}", set(thread["Groups"].split()) <= groups)
        same("no new privileges", thread["NoNewPrivs"].strip(), "1")
        for caps in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            same(caps, int(thread[caps], 16), 0)
        same("umask", thread["Umask"].strip(), "0077")
    same("owner of the log", os.stat(path).st_uid, who.pw_uid)
    os.rename(path, path + ".1")
    broker.process.send_signal(signal.SIGUSR1)
    eventually("the log is opened again", lambda: os.path.exists(path))
    Client(t, "c", broker=broker).open()
    same("status", broker.terminate()[0], 0)


@claim(cores=(0,))
def low_port_is_bound_before_root_goes(t):
    if os.geteuid() != 0:
        return
    port = 883 # of an address that nobody else uses
    broker = Broker.__new__(Broker)
    broker.host = "127.5.6.7"
    Broker.__init__(broker, [t.pinion, "serve", "--set", f"listeners={broker.host}:{port}",
                             "--set", "cores=2", "--set", f"user={USER}"], port,
                    os.path.join(t.folder, t.name("low.log")))
    t.keep(broker)
    Client(t, "c", broker=broker).open()


@claim(cores=(0,), user=("no-such-user-here", "root"))
def user_that_is_none_is_refused_by_name(t, user):
    done = subprocess.run([t.pinion, "serve", "-p", str(free_port()), "--set", f"user={user}"],
                          capture_output=True, text=True, timeout=10, check=False)
    same("exit status", done.returncode, 3)
    holds(f"names it: {done.stderr}", "user: " in done.stderr and user in done.stderr)


@claim(cores=(0,))
def whoever_is_not_root_cannot_become_another_user(t):
    become = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run([t.pinion, "serve", "-p", str(free_port()), "--set", f"user={USER}"],
                          capture_output=True, text=True, timeout=10, check=False, **become)
    same("exit status", done.returncode, 3)
    holds(f"says why: {done.stderr}", "only root" in done.stderr)


@claim(cores=(0,))
def broker_that_stays_root_says_so(t):
    broker = serve(t)
    Client(t, "c", broker=broker).open()
    same("warned", "running_as_root" in broker.text(), os.geteuid() == 0)


@claim(cores=(0,), wanted=(False, True))
def memory_is_dumped_only_if_that_is_wanted(t, wanted):
    broker = serve(t, f"core_dumps={str(wanted).lower()}")
    with open(f"/proc/{broker.pid}/limits", encoding="ascii") as limits:
        row = next(line for line in limits if line.startswith("Max core file size")).split()
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    limit = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    same("soft limit", row[4], limit if wanted else "0" if hard == 0 else "1")


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, t, abstract=False):
        name = t.name("notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = "@" + name if abstract else os.path.join(t.folder, name)
        self.socket.bind(path.replace("@", "\0") if abstract else path)
        self.env = {"NOTIFY_SOCKET": path}
        self.heard = []
        t.keep(self)

    def end(self):
        self.socket.close()

    def listen(self, seconds=0.05):
        """All that has come so far."""
        self.socket.settimeout(seconds)
        try:
            while True:
                self.heard += self.socket.recv(4096).decode().split("\n")
        except TimeoutError:
            return self.heard

    def wait(self, start, seconds=10):
        return eventually(start, lambda: [h for h in self.listen() if h.startswith(start)], seconds)


@claim(cores=(0,), abstract=(False, True))
def manager_is_told_of_start_reload_and_end(t, abstract):
    manager = Manager(t, abstract)
    broker = serve(t, cores=2, env=manager.env)
    manager.wait("READY=1")
    holds("a status", manager.wait("STATUS=Serving on 2 cores"))
    manager.heard.clear()
    broker.process.send_signal(signal.SIGHUP)
    manager.wait("READY=1")
    holds("in this order", manager.heard.index("RELOADING=1") < manager.heard.index("READY=1"))
    told_us = int(manager.wait("MONOTONIC_USEC=")[0].split("=")[1])
    holds("the time of now", abs(told_us / 1e6 - time.monotonic()) < 30)
    broker.terminate()
    manager.wait("STOPPING=1")
    holds("more time", int(manager.wait("EXTEND_TIMEOUT_USEC=")[-1].split("=")[1]) > 10_000_000)


@claim(cores=(0,))
def manager_hears_signs_of_life_while_every_core_turns(t):
    manager = Manager(t)
    broker = serve(t, cores=3, env={**manager.env, "WATCHDOG_USEC": "1000000"})
    manager.wait("WATCHDOG=1")
    count = len(manager.wait("WATCHDOG=1"))
    time.sleep(1.1)
    more = manager.listen().count("WATCHDOG=1") - count
    holds(f"several in a second: {more}", 2 <= more <= 8)
    broker.terminate()


@claim(cores=(0,))
def watchdog_of_another_process_is_not_fed(t):
    manager = Manager(t)
    broker = serve(t, env={**manager.env, "WATCHDOG_USEC": "400000", "WATCHDOG_PID": "1"})
    manager.wait("READY=1")
    time.sleep(0.5)
    same("signs of life", manager.listen().count("WATCHDOG=1"), 0)
    broker.terminate()


@claim(cores=(0,))
def file_descriptors_that_run_out_stop_nobody_who_is_there(t):
    path = os.path.join(t.folder, t.name("few.log"))
    port = free_port()
    argv = ["prlimit", "--nofile=64:64", t.pinion, "serve", "-p", str(port), "--set", "cores=1",
            "--set", f"log.file={path}"]
    broker = t.keep(Broker(argv, port, path + ".out"))
    sub = Client(t, "sub", broker=broker).open()
    sub.subscribe("x", 1)
    pub = Client(t, "pub", broker=broker).open()
    crowd = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(120)]
    eventually("the log says so", lambda: [
        line for line in logline.read(path) if line["event"] == "connection_refused"
        and "file descriptors" in line["reason"]])
    pub.publish("x", b"still here", 1)
    sub.wait_heard(1)
    for s in crowd:
        s.close()
    eventually("others can come again", lambda: try_open(t, broker))
    same("status", broker.terminate()[0], 0)


def try_open(t, broker):
    try:
        return Client(t, f"late{time.monotonic()}", broker=broker).open()
    except Exception: # refused while there is no room
        return None


# ---- sockets that the service manager hands over ------------------------------------------------

# Puts the descriptors of its first argument at 3, 4, ... and becomes the program that follows: the
# manager's part of sd_listen_fds(3). A process of its own, whose descriptors nobody else uses.
BECOME = """
import fcntl, os, sys
far = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 200) for fd in sys.argv[1].split(",")]
for i, fd in enumerate(far):
    os.dup2(fd, 3 + i)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


def hand_over(t, names, cores, settings=("listeners=systemd:mqtt",), listening=True):
    """A broker that is given listening sockets of these names, all on one port."""
    sockets = []
    port = free_port()
    for _ in names:
        s = t.keep(Closing(socket.socket()))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("127.0.0.1", port))
        if listening:
            s.listen(100)
        sockets.append(s)
    fds = [s.fileno() for s in sockets]
    argv = [sys.executable, "-c", BECOME, ",".join(map(str, fds)), t.pinion, "serve", "--set",
            f"cores={cores}"]
    for setting in settings:
        argv += ["--set", setting]
    log = os.path.join(t.folder, t.name("handed.log"))
    with open(log, "wb") as out:
        process = spawn(argv, stdout=out, stderr=subprocess.STDOUT, pass_fds=fds,
                        env={**os.environ, "LISTEN_FDS": str(len(names)),
                             "LISTEN_FDNAMES": ":".join(names)})
    broker = Broker.__new__(Broker)
    broker.process, broker.port, broker.log = process, port, log
    return t.keep(broker)


class Closing(socket.socket):
    """A socket with the end that the bench calls."""

    def __init__(self, other):
        super().__init__(other.family, other.type, other.proto, other.detach())

    def end(self):
        self.close()


@claim(cores=(0,), shape=((1, 1), (1, 4), (2, 4), (4, 4)))
def sockets_of_the_service_manager_serve_on_every_core(t, shape):
    broker = hand_over(t, ["mqtt"] * shape[0], shape[1])
    broker.wait_for_port()
    sub = Client(t, "sub", broker=broker).open()
    sub.subscribe("x", 1)
    for i in range(24):
        Client(t, f"c{i}", broker=broker).open().publish("x", b"y", 1)
    sub.wait_heard(24)
    holds("the banner says where", f"127.0.0.1:{broker.port}" in broker.text())
    same("status", broker.terminate()[0], 0)


@claim(cores=(0,))
def clients_that_knock_during_a_restart_wait_for_the_next_broker(t):
    broker = hand_over(t, ["mqtt"], 1)
    Client(t, "c", broker=broker).open()
    same("status", broker.terminate()[0], 0)
    s = socket.create_connection(("127.0.0.1", broker.port), 5) # the manager's socket is open
    s.close()


@claim(cores=(0,), case=((["other"], 2, "no such socket"), (["mqtt"] * 3, 2, "more sockets")))
def socket_that_was_not_handed_over_as_asked_is_refused(t, case):
    broker = hand_over(t, case[0], case[1])
    same("exit status", broker.wait(10), 3)
    holds(f"says why: {broker.text()}", "systemd:mqtt" in broker.text()
          and case[2] in broker.text())


@claim(cores=(0,))
def socket_that_does_not_listen_is_refused(t):
    broker = hand_over(t, ["mqtt"], 1, listening=False)
    same("exit status", broker.wait(10), 3)
    holds(f"says why: {broker.text()}", "listens" in broker.text())
