"""Access policies and roles of the endpoints, alike for the three kinds of objects."""

from collections.abc import Sequence
from typing import Any

_REMOTE = "has_remote_param_model_or_domain_or_obj_perms:hugging_face.view_huggingfaceremote"


def _permission(action: str, model: str) -> str:
    return f"hugging_face.{action}_{model}"


def _statement(actions: list[str], *conditions: str) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "action": actions,
        "principal": "authenticated",
        "effect": "allow",
    }
    return {**statement, "condition": list(conditions)} if conditions else statement


def _on_object(action: str, model: str) -> str:
    return f"has_model_or_domain_or_obj_perms:{_permission(action, model)}"


def access_policy(
    model: str,
    *,
    extra: Sequence[dict[str, Any]] = (),
    related: Sequence[str] = (),
    reads: Sequence[str] = (),
) -> dict[str, Any]:
    """
    Return the default access policy of a kind of object.

    `related` are further conditions on creating and changing: what an object refers to must be
    visible to the user too, above all a remote with a token. `reads` are further actions that only
    read: the queryset is scoped to what the user may see.
    """
    view = _on_object("view", model)
    create = f"has_model_or_domain_perms:{_permission('add', model)}"
    return {
        "statements": [
            _statement(["list", "retrieve", "my_permissions", *reads]),
            _statement(["create"], create, *related),
            _statement(
                ["update", "partial_update", "set_label", "unset_label"],
                _on_object("change", model),
                view,
                *related,
            ),
            _statement(["destroy"], _on_object("delete", model), view),
            _statement(
                ["list_roles", "add_role", "remove_role"], _on_object("manage_roles", model)
            ),
            *extra,
        ],
        "creation_hooks": [
            {
                "function": "add_roles_for_object_creator",
                "parameters": {"roles": f"hugging_face.{model}_owner"},
            }
        ],
        "queryset_scoping": {"function": "scope_queryset"},
    }


def locked_roles(model: str, *extra: str) -> dict[str, list[str]]:
    """Return the creator, owner and viewer roles of a kind of object."""
    owner = ["view", "change", "delete", "manage_roles", *extra]
    return {
        f"hugging_face.{model}_creator": [_permission("add", model)],
        f"hugging_face.{model}_owner": [_permission(action, model) for action in owner],
        f"hugging_face.{model}_viewer": [_permission("view", model)],
    }


REMOTE_VISIBLE = _REMOTE
REPOSITORY_VISIBLE = (
    "has_repo_or_repo_ver_param_model_or_domain_or_obj_perms:"
    "hugging_face.view_huggingfacerepository"
)
MODIFY_REPOSITORY = _statement(
    ["modify"],
    _on_object("modify", "huggingfacerepository"),
    _on_object("view", "huggingfacerepository"),
)
CONTENT_POLICY: dict[str, Any] = {
    "statements": [
        _statement(["list", "retrieve", "files"]),
        _statement(
            ["set_label", "unset_label"], "has_model_or_domain_perms:core.manage_content_labels"
        ),
    ],
    "queryset_scoping": {"function": "scope_queryset"},
}
