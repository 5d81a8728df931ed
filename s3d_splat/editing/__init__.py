"""Objects of a trained scene removed, moved, turned, scaled, copied or recoloured: values in, values out."""
