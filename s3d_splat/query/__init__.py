"""Objects of a trained scene found by a sentence: pictures of each, vectors, words, and what the geometry can answer."""
