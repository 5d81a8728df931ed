"""The room without some of its things: they are gone with their shadows, and all else stands as it stood."""

import numpy as np

from s3d_splat.synthetic.stage import Stage, make_stage
from tests.synthetic.conftest import SMALL


def test_a_thing_is_gone_and_the_others_keep_their_ids_and_places():
    whole = make_stage(SMALL)
    rug = whole.world.names.index("rug") + 1
    bare = make_stage(SMALL, absent=(rug,))
    assert bare.world.names == whole.world.names
    assert np.array_equal(bare.poses, whole.poses)
    then, now = looked_at(whole, rug), looked_at(bare, rug)
    under = then.instances == rug
    assert under.sum() > 20
    assert not (now.instances == rug).any()
    assert np.array_equal(now.instances[~under], then.instances[~under])
    assert (now.depth[under] >= then.depth[under]).all()
    assert np.abs(now.image.astype(int) - then.image)[under].mean() > 10


def test_its_shadow_goes_with_it():
    whole = make_stage(SMALL)
    names = [name for name in whole.world.names if name.startswith(("table", "chair"))]
    bare = make_stage(SMALL, absent=[whole.world.names.index(name) + 1 for name in names])
    rug = whole.world.names.index("rug") + 1
    brighter = []
    for pose in whole.poses[::4]:
        then, now = whole.renderer.render(pose), bare.renderer.render(pose)
        seen = (then.instances == rug) & (now.instances == rug)
        brighter += (now.image.astype(int) - then.image)[seen].mean(1).tolist()
    assert np.mean(brighter) > 1


def looked_at(stage: Stage, thing: int):
    """The view of the path that shows most of a thing of the whole room."""
    whole = make_stage(SMALL)
    best = max(whole.poses[::4], key=lambda pose: (whole.renderer.measure(pose)[1] == thing).sum())
    return stage.renderer.render(best)
