#!/usr/bin/perl
# An SMSC made of Net::SMPP, for tests: one line of JSON for each PDU it reads; orders come in on
# stdin, one letter each: e enquire_link, x unknown command, l bad length, u unbind.
use strict;
use warnings;
use IO::Select;
use Net::SMPP;

$| = 1;
my $listener = Net::SMPP->new_listen('127.0.0.1', port => 0, timeout => 0, system_id => 'perl')
    or die "cannot listen: $!";
say_line('listening', port => $listener->sockport);
my $select = IO::Select->new($listener, \*STDIN);
my $client;
my $ids = 0;

while (1) {
    for my $ready ($select->can_read) {
        if ($ready == $listener) { accept_client(); }
        elsif (fileno($ready) == fileno(STDIN)) { obey(); }
        else { read_one($ready); }
    }
}

sub accept_client {
    $client = $listener->accept or die "accept: $!";
    ${*$client}{enquire_interval} = 0;
    $select->add($client);
}

sub obey {
    my $count = sysread(STDIN, my $order, 1);
    exit 0 unless $count;
    if ($order eq 'e') { $client->enquire_link(async => 1, seq => 901); }
    elsif ($order eq 'x') { $client->syswrite(pack('NNNN', 16, 0x1234, 0, 902)); }
    elsif ($order eq 'l') { $client->syswrite(pack('NNNN', 8, 0x15, 0, 903)); }
    elsif ($order eq 'u') { $client->unbind(async => 1, seq => 904); }
}

sub read_one {
    my ($peer) = @_;
    my $pdu = $peer->read_pdu;
    if (!defined $pdu) {
        say_line('closed');
        $select->remove($peer);
        $peer->close;
        return;
    }
    my ($cmd, $seq) = ($pdu->{cmd}, $pdu->{seq});
    say_line('pdu', command_id => $cmd, status => $pdu->{status}, sequence => $seq,
        text => unpack('H*', $pdu->{short_message} // ''), esm_class => $pdu->{esm_class} // 0,
        data_coding => $pdu->{data_coding} // 0);
    if ($cmd == 9) { $peer->bind_transceiver_resp(seq => $seq, system_id => 'perl'); }
    elsif ($cmd == 0x15) { $peer->enquire_link_resp(seq => $seq); }
    elsif ($cmd == 6) { $peer->unbind_resp(seq => $seq); }
    elsif ($cmd == 4) {
        my $id = sprintf('perl-%d', ++$ids);
        $peer->submit_sm_resp(seq => $seq, message_id => $id);
        $peer->deliver_sm(async => 1, source_addr => $pdu->{destination_addr},
            destination_addr => $pdu->{source_addr}, esm_class => 4,
            short_message => "id:$id sub:001 dlvrd:001 submit date:2611220000"
                . " done date:2611220001 stat:DELIVRD err:000 text:hello");
    }
}

sub say_line {
    my ($kind, %fields) = @_;
    my @pairs = map { "\"$_\":" . ($fields{$_} =~ /^\d+$/ ? $fields{$_} + 0 : "\"$fields{$_}\"") }
        grep { $_ ne 'text' } sort keys %fields;
    push @pairs, "\"text\":\"$fields{text}\"" if exists $fields{text};
    print '{', join(',', "\"kind\":\"$kind\"", @pairs), "}\n";
}
