# SPDX-License-Identifier: BSD-3-Clause
"""pinion passwd: files that mosquitto_passwd makes, people at a terminal, and the broker."""

import os
import pty
import select
import signal
import stat
import termios
import time
from concurrent.futures import ThreadPoolExecutor

from lib import mosquitto
from lib.broker import serve
from lib.claims import Failed, claim, eventually, holds, same

WAIT_S = 15


def path_of(t):
    return os.path.join(t.folder, t.name("passwords"))


def passwd(t, *args, text="", status=0):
    """Runs pinion passwd; returns what it says."""
    done = mosquitto.run([t.pinion, "passwd", *args], text)
    same(f"exit status of pinion passwd {args} ({done.stdout}{done.stderr})", done.returncode,
         status)
    return done.stdout + done.stderr


def mosquitto_passwd(t, *args):
    done = mosquitto.run(["mosquitto_passwd", *args])
    same(f"exit status of mosquitto_passwd ({done.stderr})", done.returncode, 0)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def lines(path):
    return read(path).splitlines()


def is_right(t, path, user, password):
    done = mosquitto.run([t.pinion, "passwd", path, "--check", user, "--stdin"], password + "\n")
    holds(f"right or wrong: {done.stdout}{done.stderr}", done.returncode in (0, 1))
    return done.returncode == 0


@claim(cores=(0,), kind=("sha512", "sha512-pbkdf2"))
def files_of_mosquitto_passwd_are_read(t, kind):
    path = path_of(t)
    mosquitto_passwd(t, "-H", kind, "-c", "-b", path, "ann", "secret")
    mosquitto_passwd(t, "-H", kind, "-b", path, "b\u00f6rk", "geh\u00e4im")
    for user, password in (("ann", "secret"), ("b\u00f6rk", "geh\u00e4im")):
        holds(f"the password of {user}", is_right(t, path, user, password))
        for wrong in ("", password[:-1], password + "x"):
            holds(f"{wrong!r} is wrong", not is_right(t, path, user, wrong))


@claim(cores=(0,))
def a_user_of_mosquittos_gets_a_hash_of_ours_and_the_others_keep_theirs(t):
    path = path_of(t)
    for flag, user in ((["-c"], "ann"), ([], "bob"), ([], "cid")):
        mosquitto_passwd(t, *flag, "-b", path, user, "old")
    before = lines(path)
    passwd(t, path, "bob", "--stdin", text="new\n")
    after = lines(path)
    same("the others", [after[0], after[2]], [before[0], before[2]])
    holds(f"a hash of ours: {after[1]}", after[1].startswith("bob:$argon2id$v=19$m=19456,t=2,p=1$"))
    holds("the new password", is_right(t, path, "bob", "new"))
    holds("not the old one", not is_right(t, path, "bob", "old"))


@claim(cores=(0,))
def comments_and_order_survive_and_others_can_not_read(t):
    path = path_of(t)
    passwd(t, path, "ann", "--stdin", text="1\n")
    with open(path, "a", encoding="utf-8") as f:
        f.write("\n# the pumps\n")
    passwd(t, path, "pump", "--stdin", text="2\n")
    passwd(t, path, "ann", "--stdin", text="3\n")
    got = lines(path)
    same("lines", [line.split("$")[0] for line in got], ["ann:", "", "# the pumps", "pump:"])
    same("mode", stat.S_IMODE(os.stat(path).st_mode), 0o600)
    passwd(t, path, "--delete", "ann")
    same("lines", [line.split("$")[0] for line in lines(path)], ["", "# the pumps", "pump:"])
    holds("a user that is gone can't be deleted",
          "there is no user" in passwd(t, path, "--delete", "ann", status=1))


@claim(cores=(0,))
def a_scram_credential_follows_the_password(t):
    path = path_of(t)
    passwd(t, path, "ann", "--scram", "--stdin", text="one\n")
    before = lines(path)
    holds(f"two lines: {before}", len(before) == 2 and before[1].startswith("ann:SCRAM-SHA-256$"))
    passwd(t, path, "ann", "--stdin", text="two\n")
    after = lines(path)
    holds("both lines are new", len(after) == 2 and not set(after) & set(before))
    passwd(t, path, "ann", "--stdin", text="zw\u00f6i\n", status=1)
    same("lines after a password that SCRAM can't have", lines(path), after)


@claim(cores=(0,))
def the_list_tells_what_is_kept(t):
    path = path_of(t)
    mosquitto_passwd(t, "-c", "-b", path, "old", "x")
    passwd(t, path, "ann", "--scram", "--stdin", "--memory", "8MiB", "--time", "3", text="one\n")
    same("list", [line.split(None, 1) for line in passwd(t, path, "--list").splitlines()],
         [["old", "PBKDF2-SHA-512, 101 rounds"], ["ann", "argon2id, 8 MiB, 3 passes"],
          ["ann", "SCRAM-SHA-256, 16384 rounds"]])


@claim(cores=(0,))
def what_can_not_be_done_changes_nothing(t):
    path = path_of(t)
    passwd(t, path, "ann", "--stdin", text="one\n")
    before = read(path)
    for args, text, status in (
            (["a:b", "--stdin"], "x\n", 2), (["#a", "--stdin"], "x\n", 2),
            (["a\nb", "--stdin"], "x\n", 2), (["", "--stdin"], "x\n", 2),
            (["bob", "secret"], "", 2), (["bob", "--stdin"], "", 1), (["bob", "--stdin"], "\n", 1),
            (["bob", "--stdin"], "x" * 4097, 1), (["bob", "--stdin", "--memory", "65MiB"], "x\n", 2),
            (["bob", "--stdin", "--time", "0"], "x\n", 2), (["--list", "--delete", "ann"], "", 2),
            (["--delete", "bob"], "", 1)):
        passwd(t, path, *args, text=text, status=status)
        same(f"the file after {args}", read(path), before)
    with open(path, "a", encoding="utf-8") as f:
        f.write("bob:secret\n")
    for args in (["ann", "--stdin"], ["--delete", "ann"], ["--list"], ["--check", "ann", "--stdin"]):
        holds(f"{args}: the bad line is named",
              "line 2: this is no hash" in passwd(t, path, *args, text="x\n", status=1))
    same("the file", read(path), before + "bob:secret\n")
    same("files", [f for f in os.listdir(t.folder) if f.startswith(os.path.basename(path))],
         [os.path.basename(path)])


@claim(cores=(0,))
def two_at_once_lose_nobody(t):
    """Each either adds its user or says that another was faster, and can try again."""
    path = path_of(t)
    passwd(t, path, "first", "--stdin", text="x\n")
    users = [f"u{i}" for i in range(8)]

    def add(user):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            done = mosquitto.run([t.pinion, "passwd", path, user, "--stdin"], "x\n")
            if done.returncode == 0:
                return
            holds(f"busy: {done.stderr}", "it is there already" in done.stderr)
            time.sleep(0.02)
        raise Failed(f"{user} could not be added")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, users))
    same("users", sorted(line.split(":")[0] for line in lines(path)), sorted(["first", *users]))


# ---- at a terminal --------------------------------------------------------------------------


class Terminal:
    """pinion passwd at a terminal of its own. `seen` is all that the screen shows."""

    def __init__(self, t, *args):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execv(t.pinion, [t.pinion, "passwd", *args])
            finally:
                os._exit(99)
        self.status = None
        t.keep(self)

    def read(self):
        ready, _, _ = select.select([self.fd], [], [], 0.05)
        if not ready:
            return True
        try:
            some = os.read(self.fd, 1000)
        except OSError:  # the other end has gone
            return False
        self.seen += some.decode("utf-8", "replace")
        return bool(some)

    def wait_for(self, text):
        eventually(f"{text!r} on the screen", lambda: self.read() and text in self.seen)

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self):
        """The exit status, negative for a signal; the screen is read to its end."""
        end = time.monotonic() + WAIT_S
        while self.read() and time.monotonic() < end:
            pass
        while self.status is None and time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            else:
                time.sleep(0.01)
        return self.status

    def end(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@claim(cores=(0,))
def a_password_is_asked_for_twice_and_never_shown(t):
    path = path_of(t)
    screen = Terminal(t, path, "ann")
    screen.wait_for("New password: ")
    screen.type("s3cret\n")
    screen.wait_for("Once more: ")
    screen.type("s3cret\n")
    same(f"exit status ({screen.seen})", screen.wait(), 0)
    holds(f"nothing of it on the screen: {screen.seen}", "s3cret" not in screen.seen)
    holds("it is the password", is_right(t, path, "ann", "s3cret"))


@claim(cores=(0,))
def two_that_differ_change_nothing(t):
    path = path_of(t)
    screen = Terminal(t, path, "ann")
    screen.wait_for("New password: ")
    screen.type("one\n")
    screen.wait_for("Once more: ")
    screen.type("two\n")
    same("exit status", screen.wait(), 1)
    holds(f"says so: {screen.seen}", "the two are not the same" in screen.seen)
    holds("there is no file", not os.path.exists(path))


@claim(cores=(0,), way=("key", "signal"))
def who_interrupts_gets_the_terminal_back_as_it_was(t, way):
    path = path_of(t)
    screen = Terminal(t, path, "ann")
    screen.wait_for("New password: ")
    holds("no echo while it asks", not termios.tcgetattr(screen.fd)[3] & termios.ECHO)
    if way == "key":
        screen.type("\x03")
    else:
        os.kill(screen.pid, signal.SIGTERM)
    same("how it ended", screen.wait(), -{"key": signal.SIGINT, "signal": signal.SIGTERM}[way])
    holds("echo is back", termios.tcgetattr(screen.fd)[3] & termios.ECHO)
    holds("there is no file", not os.path.exists(path))


# ---- with the broker ------------------------------------------------------------------------


@claim(cores=(0,))
def the_broker_takes_what_passwd_wrote(t):
    path = path_of(t)
    passwd(t, path, "ann", "--stdin", text="secret\n")
    mosquitto_passwd(t, "-b", path, "bob", "hello")
    broker = serve(t, f"access.passwords={path}")
    for user, password, welcome in (("ann", "secret", True), ("bob", "hello", True),
                                    ("ann", "hello", False), ("cid", "secret", False)):
        done = mosquitto.run(["mosquitto_pub", "-h", broker.host, "-p", str(broker.port), "-u", user,
                              "-P", password, "-t", "x", "-m", "y", "-q", "1"])
        same(f"{user} with {password} is let in ({done.stderr})", done.returncode == 0, welcome)
