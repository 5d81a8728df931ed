"""A floor of stripes with a box and a ball on it, made of Gaussians by hand, and cameras that look down at it."""

import torch
from torch import Tensor

from s3d_splat.editing.values import EditableScene, Surroundings
from s3d_splat.raster.base import Rasterizer
from s3d_splat.raster.options import RasterOptions
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.scaffold.field import AnchorField, AnchorTable
from s3d_splat.scaffold.options import ScaffoldOptions
from s3d_splat.types import Camera, InstanceSet

FLOOR, BOX, BALL = 1, 2, 3
STEP = 0.05  # metres between Gaussians
PERIOD = 0.4  # metres of a stripe and the next
HALF = 0.2  # of the box
BALL_AT = (0.6, 0.5)


def floor_colour(x: Tensor) -> Tensor:
    """Stripes along y: light where x is in the first half of a period."""
    light = torch.remainder(x / PERIOD, 1.0) < 0.5
    return torch.where(light[:, None], torch.tensor([0.8, 0.7, 0.5]), torch.tensor([0.4, 0.3, 0.2]))


def room(with_box: bool = True, whole_floor: bool = False, looks: float = 0.0) -> EditableScene:
    """The scene. Under the box there is no floor, unless `whole_floor`; colours depend on the view by about `looks`.

    Every anchor has two children, both of one object.
    """
    xy = torch.cartesian_prod(*(torch.arange(-1.0, 1.0, STEP) + STEP / 2,) * 2)
    under = (xy.abs() < HALF).all(1)
    floor = torch.cat([xy[~under | whole_floor], torch.zeros(int((~under | whole_floor).sum()), 1)], 1)
    parts = [(floor, floor_colour(floor[:, 0]), FLOOR)]
    if with_box:
        box = _box()
        parts.append((box, torch.tensor([0.1, 0.2, 0.9]).expand(len(box), 3), BOX))
    ball = _ball()
    parts.append((ball, torch.tensor([0.9, 0.1, 0.1]).expand(len(ball), 3), BALL))
    points, colours = torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
    label = torch.cat([torch.full((len(part[0]),), part[2], dtype=torch.int32) for part in parts])
    return scene_of_points(points, colours, label.view(-1, 2), looks)


def scene_of_points(points: Tensor, colours: Tensor, child: Tensor, looks: float = 0.0) -> EditableScene:
    """Flat Gaussians of the step's size, two an anchor, that lie as they are given."""
    children = 2
    options = ScaffoldOptions(children=children, embedding=4, hidden=8, features=2)
    means = points.view(-1, children, 3)
    count = len(means)
    generator = torch.Generator().manual_seed(0)
    positions = means[:, 0] + 0.01
    table = AnchorTable(
        positions=positions,
        embedding=torch.randn(count, 4, generator=generator),
        log_extent=torch.zeros(count, 3),
        offsets=means - positions[:, None],
        opacity_logits=torch.full((count, children), 5.0),
        log_scales=torch.full((count, children, 3), STEP * 0.6).log(),
        quaternions=torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(count, children, 4).contiguous(),
        colour_logits=torch.logit(colours.view(count, children, 3)),
        feature=torch.zeros(count, 2),
    )
    field = AnchorField(table, options, images=1, generator=generator)
    with torch.no_grad():
        field.heads.colour[2].weight.normal_(0.0, 1.0, generator=generator).mul_(looks)
    ids = child.unique()
    boxes = [points[child.reshape(-1) == id] for id in ids]
    one = torch.ones(len(ids), dtype=torch.int32)
    return EditableScene(
        field,
        InstanceSet(
            anchor_instance=child[:, 0].clone(),
            child_instance=child,
            instance_id=ids,
            class_id=ids,
            is_thing=(ids > FLOOR).int(),
            score=torch.full((len(ids),), 0.5),
            size=one * torch.tensor([len(own) for own in boxes], dtype=torch.int32),
            aabb=torch.stack([torch.stack((own.amin(0), own.amax(0))) for own in boxes]),
        ),
    )


def around(rasterizer: Rasterizer | None = None) -> Surroundings:
    """Ten cameras on a circle that look at the middle of the floor from above."""
    return Surroundings(tuple(camera(k * 36.0, 1.6, 1.3) for k in range(10)), rasterizer or make_rasterizer(RasterOptions()))


def camera(degrees: float, radius: float, height: float) -> Camera:
    """A camera on a circle about the z axis that looks at the origin."""
    angle = torch.tensor(degrees).deg2rad()
    eye = torch.stack((radius * angle.cos(), radius * angle.sin(), torch.tensor(height)))
    forward = -eye / eye.norm()
    right = torch.linalg.cross(forward, torch.tensor([0.0, 0.0, 1.0]))
    right = right / right.norm()
    pose = torch.eye(4)
    pose[:3, :3] = torch.stack((right, torch.linalg.cross(forward, right), forward), 1)
    pose[:3, 3] = eye
    return Camera(pose, fx=90.0, fy=90.0, cx=64.0, cy=48.0, width=128, height=96)


def _box() -> Tensor:
    """Four sides and the top of a cube that stands on the floor."""
    line = torch.arange(-HALF, HALF, STEP) + STEP / 2
    grid = torch.cartesian_prod(line, line)
    edge, up = torch.full((len(grid), 1), HALF), grid[:, 1:] + HALF
    sides = [torch.cat([edge, grid[:, :1], up], 1), torch.cat([-edge, grid[:, :1], up], 1)]
    sides += [torch.cat([grid[:, :1], edge, up], 1), torch.cat([grid[:, :1], -edge, up], 1)]
    return torch.cat([*sides, torch.cat([grid, 2 * edge], 1)])


def _ball() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    directions = torch.nn.functional.normalize(torch.randn(60, 3, generator=generator), dim=1)
    return 0.1 * directions + torch.tensor([*BALL_AT, 0.12])
