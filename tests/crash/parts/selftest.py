# SPDX-License-Identifier: BSD-3-Clause
"""Histories in which one thing is wrong, and the ledger's word for it."""

from parts.ledger import KINDS, Ledger


class History:
    """A ledger with a stream and a listener that has subscribed to it."""

    def __init__(self, qos=1, sub_qos=1):
        self.ledger, self.sub_qos = Ledger(), sub_qos
        self.stream = self.ledger.stream("a/b", qos)
        self.listener = self.ledger.listener("s")
        self.window = self.ledger.subscribe(self.listener, "a/#", sub_qos)
        self.ledger.grant(self.window)

    def publish(self, n, acked=True, clear=False):
        for _ in range(n):
            seq = self.ledger.send(self.stream, clear)
            if acked:
                self.ledger.ack(self.stream, seq)

    def hear(self, *numbers):
        for seq in numbers:
            self.ledger.hear(self.listener, "a/b", seq, self.sub_qos)

    def unsubscribe(self):
        self.ledger.unsubscribe(self.window)
        self.ledger.release(self.window)

    def looks(self, seen):
        self.ledger.judge_retained(self.stream, seen, self.ledger.now())

    def wrong(self):
        self.ledger.settle(self.listener)
        return {kind for kind in KINDS if self.ledger.wrong[kind]}


def case(name, kinds, act, **qos):
    """A test: after act(history) exactly these kinds are wrong."""

    def test():
        history = History(**qos)
        act(history)
        return history.wrong() == kinds

    return name, test


def steps(*acts):
    return lambda h: [act(h) for act in acts]


def publish(n, **more):
    return lambda h: h.publish(n, **more)


def hear(*numbers):
    return lambda h: h.hear(*numbers)


def looks(seen):
    return lambda h: h.looks(seen)


def unsubscribe(h):
    h.unsubscribe()


def again(*numbers):
    """The publisher sends these again."""
    return lambda h: [h.ledger.resend(h.stream, n) for n in numbers]


def life(h):
    h.listener.lives += 1


def tests():
    exactly = {"qos": 2, "sub_qos": 2}
    return [
        case("all_in_order_is_right", set(), steps(publish(4), hear(0, 1, 2, 3))),
        case("a_missing_one_is_lost", {"lost"}, steps(publish(4), hear(0, 1, 2))),
        case("a_gap_is_lost_and_disorder", {"lost", "disorder"}, steps(publish(3), hear(0, 2))),
        case("an_unacknowledged_one_may_be_missing", set(),
             steps(publish(2), publish(1, acked=False), hear(0, 1))),
        case("an_unacknowledged_one_may_come", set(), steps(publish(1, acked=False), hear(0))),
        case("a_late_one_is_disorder", {"disorder"}, steps(publish(3), hear(0, 2, 1))),
        case("a_whole_repeat_at_1_is_right", set(),
             steps(publish(4), hear(0, 1, 2), life, hear(1, 2, 3))),
        case("a_repeat_with_a_hole_is_disorder", {"disorder"},
             steps(publish(4), hear(0, 1, 2, 3), life, hear(1, 3))),
        case("repeats_without_a_reason_are_too_many", {"twice"},
             steps(publish(1), hear(0, 0, 0))),
        case("a_second_copy_at_2_is_one_too_many", {"twice"},
             steps(publish(1), hear(0), life, hear(0)), **exactly),
        case("what_was_sent_twice_at_1_may_come_twice", set(),
             steps(publish(1), again(0), hear(0, 0)), qos=1, sub_qos=2),
        case("but_not_three_times", {"twice"},
             steps(publish(1), again(0), hear(0, 0, 0)), qos=1, sub_qos=2),
        case("after_unsubscribing_nothing_is_owed", set(), steps(unsubscribe, publish(3))),
        case("after_unsubscribing_nothing_may_come", {"uncalled"},
             steps(unsubscribe, publish(1), hear(0))),
        case("what_nobody_published_is_uncalled", {"uncalled"}, hear(7)),
        case("the_last_retained_value_is_right", set(), steps(publish(2), hear(0, 1), looks(1))),
        case("an_older_retained_value_is_wrong", {"retained"},
             steps(publish(2), hear(0, 1), looks(0))),
        case("a_later_unacknowledged_value_is_right", set(),
             steps(publish(1), publish(1, acked=False), hear(0), looks(1))),
        case("no_retained_value_is_wrong", {"retained"}, steps(publish(1), hear(0), looks(None))),
        case("after_a_clear_none_is_right", set(),
             steps(publish(1), publish(1, clear=True), hear(0, 1), looks(None))),
        case("after_a_clear_one_is_wrong", {"retained"},
             steps(publish(1), publish(1, clear=True), hear(0, 1), looks(0))),
    ]
