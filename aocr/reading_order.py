"""Right-to-left text inside a TensorFlow graph: lines in visual order -> in logical order.

A model reads from left to right; texts are given as they are typed. The rules are those of
`reading_order` in `ocr_simple/right_to_left.py`, on whole batches at a time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from ocr_simple.right_to_left import kinds_of
from ocr_simple.text import BLANK, Alphabet

Tensor = Any


class Order(NamedTuple):
    """The logical order of a batch of lines in visual order, all (batch, characters)."""

    places: Tensor  # in visual order, of each character in logical order
    ids: Tensor  # class ids in logical order; brackets of right-to-left text are mirrored

    def to_logical(self, values: Tensor) -> Tensor:
        """Move values (batch, characters, ...) from visual into logical order."""
        return tf.gather(values, self.places, batch_dims=1)


class ReadingOrder:
    """The logical order of lines in the classes of an alphabet."""

    def __init__(self, alphabet: Alphabet):
        # of each class; the blank, which also pads lines, has a kind of its own
        self.kinds = "-" + kinds_of(alphabet.characters)
        self.mirrored = [BLANK, *(alphabet.ids[alphabet.mirrored(c)] for c in alphabet.characters)]

    def __call__(self, ids: Tensor) -> Order:
        """ids: (batch, characters), with blanks after the end of each line."""
        left_to_right = self._left_to_right(ids)
        place = tf.range(tf.shape(ids)[1])[None]
        # runs are reversed, but not what is in a run from left to right
        begins = ~left_to_right | ~_shift(left_to_right, 1)
        run = tf.cumsum(tf.cast(begins, tf.int32), 1)
        key = place - run * (tf.shape(ids)[1] + 1)
        places = tf.argsort(tf.where(ids != BLANK, key, place), axis=1)
        shown = tf.where(left_to_right, ids, tf.gather(tf.constant(self.mirrored), ids))
        return Order(places, tf.gather(shown, places, batch_dims=1))

    def _left_to_right(self, ids: Tensor) -> Tensor:
        """Whether each character is written from left to right: bool (batch, characters)."""

        def of_kind(*kinds: str) -> Tensor:
            return tf.gather(tf.constant([kind in kinds for kind in self.kinds]), ids)

        mark, arabic_letter = of_kind("M"), of_kind("A")
        latin = of_kind("L")
        latin |= mark & _any(latin, ~mark)
        letter = of_kind("R") | arabic_letter | (mark & ~latin)
        # after an Arabic letter, digits are Arabic too
        european, arabic = of_kind("E"), of_kind("N")
        in_arabic = _any(arabic_letter, letter, backwards=True) & ~_any(latin, letter)
        arabic |= european & in_arabic
        european &= ~in_arabic
        # words, with the numbers beside them
        begins, latin_or_digit = letter | arabic, latin | european
        words = _any(latin, begins) & _between(latin_or_digit, begins)
        # numbers, with their separators and signs
        plain, comma, sign = of_kind("S"), of_kind("C"), of_kind("T")
        separators = (plain | comma) & _shift(european, 1) & _shift(european, -1)
        separators |= comma & _shift(arabic, 1) & _shift(arabic, -1)
        signs = sign & (_any(european, ~sign) | _any(european, ~sign, backwards=True))
        found = words | european | arabic | separators | signs
        right_to_left = tf.reduce_any(of_kind("R", "A", "N"), 1, keepdims=True)
        return found | ~right_to_left


def _shift(values: Tensor, by: int) -> Tensor:
    """Booleans (batch, characters), moved to the right by 1, or to the left by -1."""
    if by > 0:
        return tf.pad(values[:, :-1], ((0, 0), (1, 0)))
    return tf.pad(values[:, 1:], ((0, 0), (0, 1)))


def _reduce(reduce: Callable[..., Tensor], values: Tensor, begins: Tensor) -> Tensor:
    """Integers (batch, characters) reduced over segments, which begin where `begins` is true."""
    segment = tf.cumsum(tf.cast(begins, tf.int32), 1)
    batch, most = tf.shape(segment)[0], tf.shape(segment)[1] + 1
    segment += tf.range(batch)[:, None] * most
    return tf.gather(reduce(values, segment, batch * most), segment)


def _any(values: Tensor, begins: Tensor, backwards: bool = False) -> Tensor:
    """Whether any value of a character's segment is true; see `_reduce`."""
    if backwards:  # segments begin at the right
        return tf.reverse(_any(tf.reverse(values, [1]), tf.reverse(begins, [1])), [1])
    return _reduce(tf.math.unsorted_segment_max, tf.cast(values, tf.int32), begins) > 0


def _between(values: Tensor, begins: Tensor) -> Tensor:
    """Whether there is a true value at or before, and one at or after, in a character's segment."""
    one = tf.cast(values, tf.int32)
    count = tf.cumsum(one, 1)
    before = count > _reduce(tf.math.unsorted_segment_min, count - one, begins)
    return before & (_reduce(tf.math.unsorted_segment_max, count, begins) > count - one)
