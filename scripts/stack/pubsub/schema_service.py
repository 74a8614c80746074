"""google.pubsub.v1.SchemaService: schemas and their revisions."""

import asyncio
from typing import Any

from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from . import names, rpc, schemas
from .broker import Broker
from .refusal import exists, invalid, precondition
from .schemas import Revision, Schema

FULL, BASIC = int(types.SchemaView.FULL), int(types.SchemaView.BASIC)
ListSchemasResponse = types.ListSchemasResponse.pb()
ListSchemaRevisionsResponse = types.ListSchemaRevisionsResponse.pb()


def _view(revision: Revision, view: int) -> Any:
    if view == FULL:
        return revision.proto
    basic = Schema()
    basic.CopyFrom(revision.proto)
    basic.ClearField("definition")
    basic.ClearField("compiled_proto_schema")
    return basic


class SchemaService:
    """The service's methods over one broker."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    def methods(self) -> dict[str, Any]:
        return {
            "CreateSchema": rpc.unary(types.CreateSchemaRequest, self.create_schema),
            "GetSchema": rpc.unary(types.GetSchemaRequest, self.get_schema),
            "ListSchemas": rpc.unary(types.ListSchemasRequest, self.list_schemas),
            "ListSchemaRevisions": rpc.unary(types.ListSchemaRevisionsRequest, self.list_schema_revisions),
            "CommitSchema": rpc.unary(types.CommitSchemaRequest, self.commit_schema),
            "RollbackSchema": rpc.unary(types.RollbackSchemaRequest, self.rollback_schema),
            "DeleteSchemaRevision": rpc.unary(types.DeleteSchemaRevisionRequest, self.delete_schema_revision),
            "DeleteSchema": rpc.unary(types.DeleteSchemaRequest, self.delete_schema),
            "ValidateSchema": rpc.unary(types.ValidateSchemaRequest, self.validate_schema),
            "ValidateMessage": rpc.unary(types.ValidateMessageRequest, self.validate_message),
        }

    async def create_schema(self, request: Any, _context: Any) -> Any:
        names.check_project(request.parent)
        name = names.check(f"{request.parent}/schemas/{request.schema_id}", "schemas")
        revision = await asyncio.to_thread(schemas.prepare, request.schema, name)
        if name in self.broker.state.schemas:
            raise exists("Schema already exists")
        self.broker.set_schema(name, [revision])
        return revision.proto

    async def get_schema(self, request: Any, _context: Any) -> Any:
        name, revision_id = names.revision(request.name)
        revisions = self.broker.schema(name)
        revision = revisions[schemas.find(revisions, revision_id) if revision_id else -1]
        return _view(revision, request.view or FULL)

    async def list_schemas(self, request: Any, _context: Any) -> Any:
        known = self.broker.state.schemas
        found, token = rpc.page(known, request.parent, request.page_size, request.page_token)
        view = request.view or BASIC
        return ListSchemasResponse(schemas=[_view(known[name][-1], view) for name in found], next_page_token=token)

    async def list_schema_revisions(self, request: Any, _context: Any) -> Any:
        """Newest first, as the service lists them."""
        revisions = self.broker.schema(names.check(request.name, "schemas"))[::-1]
        start = int(request.page_token) if request.page_token.isdecimal() else 0
        size = min(request.page_size or len(revisions), len(revisions))
        following = start + size
        return ListSchemaRevisionsResponse(
            schemas=[_view(revision, request.view or BASIC) for revision in revisions[start:following]],
            next_page_token=str(following) if following < len(revisions) else "",
        )

    async def commit_schema(self, request: Any, _context: Any) -> Any:
        name = names.check(request.name, "schemas")
        if request.schema.type_ != self.broker.schema(name)[-1].proto.type_:
            raise invalid("A schema's type cannot be changed by a new revision.")
        revision = await asyncio.to_thread(schemas.prepare, request.schema, name)
        self._add(name, revision)
        return revision.proto

    async def rollback_schema(self, request: Any, _context: Any) -> Any:
        """A new revision with the definition of an old one."""
        name = names.check(request.name, "schemas")
        revisions = self.broker.schema(name)
        old = revisions[schemas.find(revisions, request.revision_id)]
        revision = await asyncio.to_thread(schemas.prepare, old.proto, name)
        self._add(name, revision)
        return revision.proto

    def _add(self, name: str, revision: Revision) -> None:
        revisions = self.broker.schema(name)
        if len(revisions) >= schemas.REVISIONS:
            raise precondition(
                f"The schema has {schemas.REVISIONS} revisions, the most there can be: delete one first."
            )
        self.broker.set_schema(name, [*revisions, revision])

    async def delete_schema_revision(self, request: Any, _context: Any) -> Any:
        """The newest revision that is left. Raises INVALID_ARGUMENT when it is the only one."""
        name, revision_id = names.revision(request.name)
        revisions = self.broker.schema(name)
        index = schemas.find(revisions, revision_id or request.revision_id)
        if len(revisions) == 1:
            raise invalid("The only revision of a schema cannot be deleted: delete the schema.")
        left = [*revisions[:index], *revisions[index + 1 :]]
        self.broker.set_schema(name, left)
        return left[-1].proto

    async def delete_schema(self, request: Any, _context: Any) -> Any:
        self.broker.delete_schema(names.check(request.name, "schemas"))
        return empty_pb2.Empty()

    async def validate_schema(self, request: Any, _context: Any) -> Any:
        names.check_project(request.parent)
        await asyncio.to_thread(schemas.prepare, request.schema, request.schema.name)
        return types.ValidateSchemaResponse.pb()()

    async def validate_message(self, request: Any, _context: Any) -> Any:
        names.check_project(request.parent)
        given = request.WhichOneof("schema_spec")
        if given is None:
            raise invalid("No schema: give a name or a schema.")
        if given == "name":
            name, revision_id = names.revision(request.name)
            revisions = self.broker.schema(name)
            revision = revisions[schemas.find(revisions, revision_id) if revision_id else -1]
        else:
            revision = await asyncio.to_thread(schemas.prepare, request.schema, "")
        schemas.check_message(revision, request.message, request.encoding)
        return types.ValidateMessageResponse.pb()()
