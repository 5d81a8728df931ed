"""What can be chosen about finding the objects; plain values, so that a command line can show them without loading torch."""

from dataclasses import dataclass, field
from typing import Literal

Edges = Literal["both", "feature", "voxel", "colour"]
ClusteringName = Literal["graph", "hdbscan"]
FirstSeed = Literal["random", "outermost"]


@dataclass(frozen=True)
class AggregationOptions:
    """From anchors to clusters (InstanceGaussian, section 3.3): seeds, over-segments, a graph between them."""

    seeds: int = 1_000  # over-segments to start with; never more than there are anchors
    first_seed: FirstSeed = "random"  # farthest point sampling starts anywhere, or farthest from the mean of all
    iterations: int = 2  # of k-means, starting from the seeds
    position_weight: float = 0.3  # joint-space units a metre; two opposite unit features are 2 apart
    connected: bool = True  # is an over-segment cut into its parts where these do not touch in space?
    clustering: ClusteringName = "graph"  # what joins over-segments to objects
    feature_threshold: float | None = None  # nearer over-segments are alike (features mapped to 0..1); None: asks the masks
    voxel: float = 0.1  # metres; over-segments touch where their voxels share a face
    edges: Edges = "both"  # what an edge asks for: alike and touching, alike, touching, or alike in colour and touching
    hdbscan_min_segments: int = 2  # over-segments of the smallest cluster that HDBSCAN tells from noise
    min_join: int = 10  # Gaussians; a smaller over-segment joins nothing
    min_size: int = 5  # Gaussians; a smaller cluster is dropped
    unseen_radius: float = 0.3  # metres; anchors no view saw take the label of the nearest one within this


@dataclass(frozen=True)
class ReliftOptions:
    """The masks as evidence after clustering."""

    rounds: int = 2  # times that masks choose clusters and Gaussians choose masks; 0 keeps the clusters as they are
    min_pixels: int = 10  # smaller masks are no evidence, and what shows in fewer neither joins nor leaves a cluster
    min_share: float = 0.33  # of a mask; a cluster that fills less of it is not chosen, and the mask is no evidence
    min_weight: float = 0.01  # pixels of rendering weight; less of a Gaussian under a mask is noise
    persistence: float = 0.6  # ids in so large a share of their Gaussians' views are objects as they are; over 1: none is
    split: bool = True  # divide clusters that single views see under several masks
    strays: bool = True  # free small objects inside clusters, that most views see under a mask of their own
    merge: bool = True  # join clusters that the views agree to see under one mask
    fragments: bool = True  # draw objects anew from anchors where masks break elsewhere in each view
    silence: bool = True  # ignore views without a mask of an object where they speak about its Gaussians
    agreement: float = 0.6  # share of one mask that joins two clusters; one that agrees less with itself is not whole
    min_size: int = 5  # Gaussians; a smaller instance is dropped
    min_labelled: float = 0.33  # of a Gaussian's weight in views with masks; one that lies under fewer masks is no object's


@dataclass(frozen=True)
class InstanceOptions:
    """The chain from a trained field to its objects."""

    aggregation: AggregationOptions = field(default_factory=AggregationOptions)
    relift: ReliftOptions = field(default_factory=ReliftOptions)
    seed: int = 0
