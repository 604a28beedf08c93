use strict;
use warnings;

my $generation = $ENV{ROOST_GENERATION} // 0;

sub {
    return [200, ['Content-Type' => 'text/plain', 'Content-Length' => 6, 'X-Generation' => $generation], ["hello\n"]];
};
