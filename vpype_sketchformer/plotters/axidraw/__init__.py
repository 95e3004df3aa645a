"""An AxiDraw or a NextDraw: the maker's module, the board, the record, the session."""
