"""Numbers as they are printed: prices, dates, times, percentages, codes.

To add a kind of number, add it to `kinds` in `number`.
"""

import numpy as np

PRICES = 0.3  # share of prices among numbers, at least: receipts are full of them


def number(rng: np.random.Generator) -> str:
    """A number as it is printed: a price, plain, grouped, a percentage, a date, a time, a code."""
    whole = int(10 ** rng.uniform(-1, 6))  # 0 too: 0.00 is frequent on receipts
    price = f"{whole:,}." + ("00", digits(1, rng) + "0", digits(2, rng))[rng.integers(3)]
    if rng.random() < PRICES:
        return price
    # of one to three places: 14.09, 0.5
    decimal = f"{int(10 ** rng.uniform(-1, 4))}.{digits(int(rng.integers(1, 4)), rng)}"
    padded = f"{digits(int(rng.integers(1, 4)), rng)}.{digits(int(rng.integers(1, 4)), rng)}"
    separator = "/-."[rng.integers(3)]
    day, month, year = rng.integers(1, 32), rng.integers(1, 13), rng.integers(1950, 2035)
    kinds = (
        str(whole),
        digits(int(rng.integers(4, 14)), rng),
        f"{whole:,}",
        price.replace(",", ""),
        "$" + price,
        price.translate(str.maketrans(",.", ".,")),
        f"-{whole}",
        decimal,
        "-" + decimal,
        padded,  # as displays of a fixed width show it: 07.27
        f"{whole % 100}%",
        separator.join((f"{day:02}", f"{month:02}", str(year))),
        separator.join((str(year), f"{month:02}", f"{day:02}")),
        f"{day}{separator}{month}{separator}{year % 100:02}",
        f"{rng.integers(24):02}:{rng.integers(60):02}",
        f"{rng.integers(24):02}:{rng.integers(60):02}:{rng.integers(60):02}",
        f"{day:02}/{month:02}/{year} {rng.integers(24):02}:{rng.integers(60):02}",
        f"{whole:,}".replace(",", " "),
        f"{digits(3, rng)}-{digits(4, rng)}",
        f"#{digits(5, rng)}",
        f"({digits(3, rng)})",
    )
    return kinds[rng.integers(len(kinds))]


def digits(count: int, rng: np.random.Generator) -> str:
    """Random digits."""
    return "".join(map(str, rng.integers(0, 10, count)))
