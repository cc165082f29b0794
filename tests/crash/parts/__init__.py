# SPDX-License-Identifier: BSD-3-Clause
"""What the crash tests are made of: a ledger, clients, other people's clients, brokers, a world."""
