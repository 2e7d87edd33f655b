"""Networks as data: reading weight files, planning the scales, auditing the weights."""

from fracmoment.networks.audit import (
    LayerAudit,
    LayerMeasurement,
    Measurement,
    NetworkAudit,
    audit_network,
    measure,
)
from fracmoment.networks.description import Layer, Network, open_tensors, read_network
from fracmoment.networks.entries import EntryReport, TestResult, examine
from fracmoment.networks.files import NetworkFileError
from fracmoment.networks.npz import read_inputs
from fracmoment.networks.plan import (
    NetworkPlan,
    Outcome,
    PlannedLayer,
    advice,
    parse_widths,
    plan_network,
)
from fracmoment.networks.trees import network_in_memory

__all__ = [
    "EntryReport",
    "Layer",
    "LayerAudit",
    "LayerMeasurement",
    "Measurement",
    "Network",
    "NetworkAudit",
    "NetworkFileError",
    "NetworkPlan",
    "Outcome",
    "PlannedLayer",
    "TestResult",
    "advice",
    "audit_network",
    "examine",
    "measure",
    "network_in_memory",
    "open_tensors",
    "parse_widths",
    "plan_network",
    "read_inputs",
    "read_network",
]
