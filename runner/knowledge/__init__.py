"""Knowledge sources: folders of documents, indexed on this machine, searched under the reader's grants."""
