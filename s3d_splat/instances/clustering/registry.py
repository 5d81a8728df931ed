"""The table of clusterings."""

from __future__ import annotations

from s3d_splat.instances.clustering.base import Clustering
from s3d_splat.instances.clustering.graph import cluster_by_graph
from s3d_splat.instances.clustering.hdbscan import cluster_by_hdbscan
from s3d_splat.instances.options import ClusteringName

CLUSTERINGS: dict[ClusteringName, Clustering] = {"graph": cluster_by_graph, "hdbscan": cluster_by_hdbscan}
