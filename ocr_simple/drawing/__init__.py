"""Drawing lines of text: texts, fonts, glyphs, marks."""
