"""The CMS (Payload): asking it, reading its documents, and sharing its answer among runs."""
