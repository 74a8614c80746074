"""The graph, apart from where messages come from and rows go to."""

import apache_beam as beam
import pyarrow as pa
from apache_beam.coders.typecoders import registry
from apache_beam.io.gcp.pubsub import PubsubMessage, ReadFromPubSub
from apache_beam.pvalue import PCollection

from dataflow.beam.anonymize import AnonymizeFn
from dataflow.beam.coders import CandidatesCoder
from dataflow.beam.deduplicate import DeduplicateFn
from dataflow.beam.settings import Settings
from dataflow.candidates import Candidates

ROLES = ("raw", "anonymized", "dead", "unknown")


def read(pipeline: beam.Pipeline, subscription: str) -> PCollection[PubsubMessage]:
    """PubsubMessages of a subscription (its full path).

    Without id_label: it would drop duplicates before they are counted. Redeliveries Dataflow removes by itself.
    """
    messages: PCollection[PubsubMessage] = pipeline | "read" >> ReadFromPubSub(
        subscription=subscription, with_attributes=True
    )
    return messages


def build(messages: PCollection[PubsubMessage], settings: Settings) -> dict[str, PCollection[pa.RecordBatch]]:
    """Rows by role of the table (raw, anonymized, dead, unknown): pyarrow.RecordBatches without `batch_id`.

    messages: PubsubMessages with id and publish time, in the global window, bounded or not.
    """
    registry.register_coder(Candidates, CandidatesCoder)
    outputs = (
        messages
        | "anonymize" >> beam.ParDo(AnonymizeFn(settings)).with_output_types(tuple[int, Candidates])
        | "deduplicate" >> beam.ParDo(DeduplicateFn(settings)).with_output_types(pa.RecordBatch).with_outputs(*ROLES)
    )
    return {role: outputs[role] for role in ROLES}
