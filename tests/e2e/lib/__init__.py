# SPDX-License-Identifier: BSD-3-Clause
"""What the end-to-end tests are made of: brokers, clients, claims, and bytes of our own."""
