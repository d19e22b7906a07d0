"""Who a person is and whether they may come in, as rules on plain values; and what no log shows."""
