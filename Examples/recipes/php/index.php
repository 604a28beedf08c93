<?php
header("Content-Length: 6");
header("X-Generation: " . getenv("ROOST_GENERATION"));
echo "hello\n";
